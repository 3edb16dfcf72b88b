"""What goes in: the inputs a model expects, and samples for them from files and image folders."""
