"""The laptop stack: the same template and artifacts as on AWS, deployed to an emulator on this machine."""
