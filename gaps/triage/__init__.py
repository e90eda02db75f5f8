"""What a topic lacks, judged from the evidence in its tickets."""
