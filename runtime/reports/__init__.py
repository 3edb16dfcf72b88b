"""Results for people: report pages with their templates and figures, and numbers as text."""
