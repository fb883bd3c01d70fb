"""Re-runnable measurements of the gateway beside the plainest thing that could do its work."""
