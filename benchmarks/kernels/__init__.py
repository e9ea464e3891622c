"""How quick the kernels are, beside torch, beside the bare matrix products, and beside what has to be reached."""
