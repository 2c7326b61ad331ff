"""The training images: where they come from, and how they become tensors."""
