"""What makes the site of the documentation: reference pages from the code, and links that lead out of docs/."""
