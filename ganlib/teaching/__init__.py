"""What the course needs beyond the library: budgets, claims, exercises, grading. The library does not import it."""
