# Nothing is made here: `terraform test` in this folder applies the modules to an AWS that is made up.
terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7.0"
    }
  }
}
