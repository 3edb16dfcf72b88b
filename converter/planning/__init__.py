"""What becomes of every node: from the canonical ANN to the plain spiking graph."""
