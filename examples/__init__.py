"""Tasks and methods outside the packages, to copy (docs/your_own_task.md, docs/your_own_method.md); a tour; films."""
