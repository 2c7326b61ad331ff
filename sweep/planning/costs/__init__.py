"""What a trial of each experiment costs, in a file per experiment; `sweep.planning.cost` says what each must hold."""
