"""From an integer Graph to text: what another machine runs. Emitters return {path: text} and write nothing."""
