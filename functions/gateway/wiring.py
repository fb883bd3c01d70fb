"""The only place that chooses and builds concrete things."""
