"""What goes wrong between a client and AWS, made to go wrong on purpose: off unless this start was told otherwise.

Faults are switched on by whoever starts this AWS (`serve --faults FILE`, or `Faults.switch` in this process), never over HTTP.
"""
