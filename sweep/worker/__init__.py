"""The work: training and evaluating one cohort. PyTorch is at home here."""
