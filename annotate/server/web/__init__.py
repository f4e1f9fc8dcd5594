"""The server's web application: API routes, pages, access control and streaming."""
