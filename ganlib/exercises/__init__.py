"""The checks of the exercises, a file a day. Each has the tuple `TASKS`; reading one gives its answers away."""
