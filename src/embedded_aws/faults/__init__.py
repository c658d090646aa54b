"""Faults between a client and AWS, caused on purpose: off unless this start was given rules.

The program that starts the local AWS switches them on (`serve --faults FILE`, or `Faults.switch` in its process), never an HTTP request.
"""
