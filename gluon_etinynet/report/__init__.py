"""The paper's numbers, ours beside them, and the page that shows both. NumPy, OpenCV and the standard library only."""
