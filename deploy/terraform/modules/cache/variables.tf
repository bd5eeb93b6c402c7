variable "name" {
  description = "Prefix of every name."
  type        = string
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets without a way out."
  type        = list(string)
}

variable "key_arn" {
  description = "The key that encrypts it and its secret."
  type        = string
}

variable "node_type" {
  description = "Size of a node."
  type        = string
}

variable "nodes" {
  description = "Nodes; from two on another takes over by itself."
  type        = number
}

variable "recovery_days" {
  description = "Days a deleted secret can be restored."
  type        = number
}
