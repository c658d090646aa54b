"""Where moto is kinder than AWS, it is made as strict: a lenient fake hides exactly the faults that hurt.

One behaviour per function, each with AWS's own documentation. They replace methods of moto's classes, so they hold
whichever way a request comes in.
"""

from __future__ import annotations

from embedded_aws.addresses import LoopbackAddresses
from embedded_aws.strict import (
    budgets,
    budgets_notifications,
    budgets_tags,
    cognito_clients,
    cognito_pools,
    cognito_resource_servers,
    cognito_tags,
    ec2_addresses,
    ec2_client_tokens,
    ec2_images,
    ec2_network_interfaces,
    ec2_protection,
    ec2_security_groups,
    randomness,
    route53_zones,
    s3_bucket_policies,
    s3_buckets,
    s3_creation_tags,
    s3_mfa_delete,
    secretsmanager_names,
    sts_identity,
)


def apply(addresses: LoopbackAddresses) -> None:
    """Replace what differs. Once per process: moto's state is the process's, so a process is one start."""
    randomness.unpredictable()
    randomness.request_ids()
    sts_identity.the_account_itself()
    sts_identity.session_tokens_are_real()
    sts_identity.roles_must_exist()
    ec2_addresses.loopback_only(addresses)
    ec2_addresses.reverse_dns_locks()
    ec2_client_tokens.honoured()
    ec2_client_tokens.found_again()
    ec2_images.ubuntu_is_there()
    ec2_network_interfaces.gone_with_their_instance()
    ec2_network_interfaces.groups_must_exist()
    ec2_network_interfaces.tagged_at_launch()
    ec2_protection.stop_protection_keeps_from_termination()
    ec2_security_groups.in_use_not_deletable()
    cognito_pools.own_signing_key()
    cognito_pools.ids_as_long_as_awss()
    cognito_pools.protected_from_deletion()
    cognito_pools.domains_are_unique()
    cognito_pools.own_domains_are_shown_apart()
    cognito_pools.domain_names_are_checked()
    cognito_clients.oauth_settings_are_checked()
    cognito_clients.update_resets_what_it_omits()
    cognito_resource_servers.complete()
    cognito_tags.complete()
    s3_buckets.secure_by_default()
    s3_buckets.answer_in_their_own_region()
    route53_zones.ids_begin_with_z()
    s3_bucket_policies.conditions_evaluated()
    s3_creation_tags.kept()
    s3_mfa_delete.honoured()
    secretsmanager_names.kept_during_recovery()
    budgets.of_ones_own_account()
    budgets.values_are_checked()
    budgets.amounts_are_decimal()
    budgets.update_replaces()
    budgets_notifications.checked()
    budgets_notifications.absent_ones_are_told()
    budgets_notifications.shown_with_their_state()
    budgets_notifications.subscribers_complete()
    budgets_tags.complete()
