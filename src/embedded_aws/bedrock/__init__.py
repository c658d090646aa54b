"""Amazon Bedrock without a model: Converse, ConverseStream and the availability of models, answered from a script."""
