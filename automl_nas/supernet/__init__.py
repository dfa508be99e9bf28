"""All sub-networks in one set of weights: mixtures, operation choice, the supernet protocol."""
