"""The video player with its timeline, used by the HTML report and the server."""
