import sys

from embedded_aws.cli import main

sys.exit(main())
