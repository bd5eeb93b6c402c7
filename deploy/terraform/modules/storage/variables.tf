variable "name" {
  description = "Prefix of every name."
  type        = string
}

variable "account_id" {
  description = "The account; bucket names are unique in the world."
  type        = string
}

variable "region" {
  description = "The region, likewise."
  type        = string
}

variable "key_arn" {
  description = "The key that encrypts exports."
  type        = string
}

variable "lock_mode" {
  description = "GOVERNANCE lets a person with a special permission delete early; COMPLIANCE nobody, root included."
  type        = string

  validation {
    condition     = contains(["GOVERNANCE", "COMPLIANCE"], var.lock_mode)
    error_message = "GOVERNANCE or COMPLIANCE."
  }
}

variable "lock_days" {
  description = "Days an export cannot be changed or deleted."
  type        = number
}

variable "log_days" {
  description = "Days access and flow logs are kept."
  type        = number
}
