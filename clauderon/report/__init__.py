"""`clauderon report`: what sessions did as one file, for a person or a pull request. Asks nobody: given `Story`s."""
