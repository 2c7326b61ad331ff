"""What is trained: small networks stacked along a member axis, many configurations as one program.

Torch only. Two layouts hold everywhere: parameters are [K, ...] and activations [N, ..., K, C], for N images,
K members and C features. Images come first so that, to a batch-norm kernel, members are just more channels.
"""
