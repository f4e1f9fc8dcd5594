"""The server's web application: routes, pages, access and streams."""
