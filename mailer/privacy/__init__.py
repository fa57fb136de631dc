"""What the law asks for, over all stages: what is held on a person, erasing her, letting old data go."""
