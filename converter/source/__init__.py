"""From bytes to a model that the rest of the converter may trust."""
