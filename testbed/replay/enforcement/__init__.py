"""How an allocation is carried out on the emulated network: one module per way."""
