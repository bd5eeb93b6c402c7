# Zones, ways out, and subnets that do not overlap.

mock_provider "aws" {}

variables {
  name                = "msil-mcp-prod"
  region              = "ap-south-1"
  cidr                = "10.30.0.0/16"
  zones               = ["ap-south-1a", "ap-south-1b"]
  nat_per_zone        = true
  private_endpoints   = true
  flow_log_bucket_arn = "arn:aws:s3:::logs"
}

run "each_zone_stands_alone" {
  command = apply

  module {
    source = "../modules/network"
  }

  assert {
    condition = toset([for subnet in concat(values(aws_subnet.public), values(aws_subnet.private), values(aws_subnet.data)) : subnet.cidr_block]) == toset([
      "10.30.0.0/20", "10.30.16.0/20", "10.30.64.0/20", "10.30.80.0/20", "10.30.128.0/20", "10.30.144.0/20",
    ])
    error_message = "Six subnets, none over another."
  }

  assert {
    condition     = aws_route.private["ap-south-1b"].nat_gateway_id == aws_nat_gateway.this["ap-south-1b"].id
    error_message = "A zone's way out stands in that zone."
  }

  assert {
    condition     = length(aws_vpc_endpoint.services) == 4
    error_message = "AWS is reached inside the VPC."
  }
}

run "one_way_out_is_enough_for_development" {
  command = apply

  module {
    source = "../modules/network"
  }

  variables {
    nat_per_zone      = false
    private_endpoints = false
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 1 && length(aws_vpc_endpoint.services) == 0
    error_message = "One NAT gateway and no endpoints that cost."
  }

  assert {
    condition     = aws_route.private["ap-south-1b"].nat_gateway_id == aws_nat_gateway.this["ap-south-1a"].id
    error_message = "Both zones use it."
  }
}

run "one_zone_is_too_few" {
  command = plan

  module {
    source = "../modules/network"
  }

  variables {
    zones = ["ap-south-1a"]
  }

  expect_failures = [var.zones]
}
