"""Which of an assistant's tools the model is given, for each turn of a conversation."""
