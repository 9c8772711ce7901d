"""From Graph to text: an emitter returns {path: text}. MXNet is never loaded here."""
