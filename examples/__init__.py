"""A tour, films, and tasks and methods to copy from: docs/your_own_task.md, docs/your_own_method.md."""
