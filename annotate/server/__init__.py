"""The program as a page and a JSON API, over an archive or for uploads (extra ``serve``)."""
