variable "name" {
  description = "Prefix of every name."
  type        = string
}

variable "key_arn" {
  description = "The key that encrypts them."
  type        = string
}

variable "replica_regions" {
  description = "Regions that keep a copy, for a standby that takes over."
  type        = list(string)
}

variable "replicated" {
  description = "This region is a standby: the database's password and the secret key come from the primary region."
  type        = bool
}

variable "recovery_days" {
  description = "Days a deleted secret can be restored."
  type        = number
}
