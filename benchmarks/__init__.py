"""Side-by-side throughput: the same work through four ways of training it, beside the limit of the machine."""
