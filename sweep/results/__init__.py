"""Commands on a results database: status, export, Optuna studies and dashboard, rerun."""
