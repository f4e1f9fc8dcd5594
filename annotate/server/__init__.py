"""Web server: pages and a JSON API, over an archive or for uploads (extra ``serve``)."""
