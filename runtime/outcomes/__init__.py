"""What comes out of a run: traces, and the activity and scores that add up over their chunks."""
