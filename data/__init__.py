"""The images the models learn from: where they come from, and the tensors made of them."""
