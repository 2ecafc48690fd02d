"""The checks of the exercises: a file a day with a tuple `TASKS`. Reading one gives its answers away."""
