"""Memories for FPGAs, and the Verilog that reads them."""
