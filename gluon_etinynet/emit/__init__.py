"""From Graph to text: C firmware and ROM files. An emitter returns {path: text}; a tool's main() writes."""
