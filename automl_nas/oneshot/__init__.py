"""One-shot search: logits over choices, samplers that draw mixtures, one training loop, rounds."""
