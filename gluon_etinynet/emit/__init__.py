"""From an integer Graph to the text that another machine runs. Emitters return {path: text}."""
