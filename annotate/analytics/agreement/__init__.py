"""Agreement of the model with codings by people, and of coders with each other."""
