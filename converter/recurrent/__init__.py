"""One step of a recurrent layer in standard operators, and the states it hands on."""
