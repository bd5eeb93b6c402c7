variable "name" {
  description = "Prefix of every name."
  type        = string
}

variable "cidr" {
  description = "Addresses of the VPC, a /16."
  type        = string
}

variable "zones" {
  description = "Availability zones to use, two or more."
  type        = list(string)

  validation {
    condition     = length(var.zones) >= 2
    error_message = "At least two zones, so that losing one is survived."
  }
}

variable "nat_per_zone" {
  description = "A NAT gateway in each zone, so that losing one zone cuts off no other; else one for all."
  type        = bool
}

variable "private_endpoints" {
  description = "Reach ECR, CloudWatch Logs and Secrets Manager inside the VPC instead of through NAT."
  type        = bool
}

variable "region" {
  description = "The region, for the names of endpoints."
  type        = string
}

variable "flow_log_bucket_arn" {
  description = "Bucket that keeps the flow logs."
  type        = string
}
