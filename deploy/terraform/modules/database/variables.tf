variable "name" {
  description = "Prefix of every name."
  type        = string
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets without a way out, in two zones or more."
  type        = list(string)
}

variable "key_arn" {
  description = "The key that encrypts storage and insights."
  type        = string
}

variable "password_secret_arn" {
  description = "Secret with the owner's password."
  type        = string
}

variable "password_version" {
  description = "Raise it after replacing the secret's value: the next apply sets the password."
  type        = number
}

variable "instance_class" {
  description = "Size of the instance, and of its replica."
  type        = string
}

variable "storage_gb" {
  description = "Storage to begin with."
  type        = number
}

variable "max_storage_gb" {
  description = "Storage it may grow to by itself."
  type        = number
}

variable "multi_az" {
  description = "A standby in another zone that takes over by itself."
  type        = bool
}

variable "read_replica" {
  description = "An instance that answers what may be seconds old."
  type        = bool
}

variable "replicate_from_arn" {
  description = "ARN of another region's primary that this one follows; empty: it is a primary. Emptied, it is promoted."
  type        = string
}

variable "backup_days" {
  description = "Days to which the database can be restored, to the second."
  type        = number
}

variable "protected" {
  description = "Refuse to be deleted, and leave a snapshot when it is all the same."
  type        = bool
}

variable "apply_immediately" {
  description = "Change now rather than in the maintenance window."
  type        = bool
}
