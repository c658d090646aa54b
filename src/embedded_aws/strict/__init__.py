"""Make moto as strict as AWS: a lenient fake hides exactly the faults that hurt in production.

One function for each behaviour, with AWS's documentation. They replace methods of moto's classes, so they hold for every request.
"""

from __future__ import annotations

from embedded_aws.addresses import LoopbackAddresses
from embedded_aws.strict import (
    budgets,
    cloudtrail,
    cloudwatch,
    cognito,
    cognito_custom_domain,
    cost_explorer,
    dynamodb,
    ec2,
    ecr,
    eks,
    iam,
    kms,
    log_delivery,
    logs,
    randomness,
    route53,
    s3,
    secretsmanager,
    sns,
    ssm,
    sts,
    vpc,
    xray,
)
from embedded_aws.strict.patching import MotoMoved


def apply(addresses: LoopbackAddresses) -> None:
    """Replace what differs, once per process: moto's state is the process's. Raises MotoMoved where this moto has other parts."""
    try:
        _apply(addresses)
    except ImportError as error:
        raise MotoMoved(str(error)) from error


def _apply(addresses: LoopbackAddresses) -> None:
    randomness.use_system_randomness()
    randomness.use_request_ids()
    sts.identify_account_root()
    sts.refuse_example_tokens()
    sts.require_existing_roles()
    sts.require_trusting_roles()
    ecr.compute_digests()
    iam.simulate_policies()
    iam.require_existing_boundaries()
    iam.refuse_profiles_of_absent_roles()
    _apply_compute(addresses)
    kms.accept_arns_of_keys()
    kms.spare_key_pairs()
    eks.keep_authentication_mode()
    eks.add_access_entries()
    eks.tag_access_entries()
    s3.secure_new_buckets()
    s3.enforce_bucket_ownership()
    s3.redirect_to_bucket_region()
    route53.begin_zone_ids_with_z()
    s3.evaluate_policy_conditions()
    s3.keep_creation_tags()
    s3.honour_mfa_delete()
    s3.require_usable_keys()
    s3.forget_tags_of_deleted_buckets()
    secretsmanager.keep_names_during_recovery()
    secretsmanager.move_current_version()
    secretsmanager.list_labelled_versions()
    secretsmanager.answer_absence_with_400()
    budgets.require_own_account()
    budgets.validate_budgets()
    budgets.show_decimal_amounts()
    budgets.add_update_budget()
    budgets.validate_notifications()
    budgets.refuse_absent_notifications()
    budgets.show_notification_states()
    budgets.add_subscriber_operations()
    budgets.add_tag_operations()
    cost_explorer.add_cost_allocation_tags()
    _apply_tables()
    _apply_network()
    _apply_login()
    _apply_monitoring(addresses)


def _apply_compute(addresses: LoopbackAddresses) -> None:
    ec2.assign_loopback_addresses(addresses)
    ec2.lock_addresses_with_reverse_dns()
    ec2.honour_client_tokens()
    ec2.show_groups_of_interfaces()
    ec2.filter_by_client_token()
    ec2.add_ubuntu_images()
    ec2.delete_interfaces_with_instance()
    ec2.require_existing_groups()
    ec2.tag_interfaces_at_launch()
    ec2.honour_stop_protection()
    ec2.refuse_deleting_used_groups()
    ec2.keep_omitted_metadata_options()


def _apply_tables() -> None:
    dynamodb.take_time_for_tables()
    dynamodb.refuse_untimely_changes()


def _apply_network() -> None:
    vpc.refuse_deleting_used_parts()
    vpc.refuse_second_association()
    vpc.give_ipv6_addresses()
    vpc.validate_vpc_endpoints()
    ec2.describe_rules_of_groups()


def _apply_login() -> None:
    cognito.create_own_signing_keys()
    cognito.shorten_ids()
    cognito.protect_pools_from_deletion()
    cognito.require_unique_domains()
    cognito.refuse_absent_parts()
    cognito.show_custom_domains()
    cognito.validate_domain_names()
    cognito_custom_domain.validate_custom_domains()
    cognito_custom_domain.show_custom_domain_status()
    cognito.validate_pool_settings()
    cognito.validate_user_attributes()
    cognito.validate_oauth_settings()
    cognito.reset_omitted_client_settings()
    cognito.complete_pool_updates()
    cognito.add_resource_server_operations()
    cognito.add_pool_tag_operations()
    cognito.add_client_secret_operations()


def _apply_monitoring(addresses: LoopbackAddresses) -> None:
    route53.limit_texts()
    route53.keep_caller_references(addresses)
    route53.count_updates_of_health_checks()
    route53.tag_existing_health_checks()
    route53.show_answers_of_endpoints()
    cloudwatch.act_on_state_changes()
    cloudwatch.keep_state_of_replaced_alarms()
    cloudwatch.evaluate_alarms()
    cloudwatch.tag_dashboards()
    cloudwatch.refuse_tags_of_absent_resources()
    logs.make_metrics_from_logs()
    logs.replace_metric_filters()
    logs.refuse_tags_of_absent_groups()
    logs.filter_events_by_patterns()
    logs.add_key_operations()
    logs.answer_insights()
    log_delivery.deliver_logs_of_gateways()
    log_delivery.keep_parts_of_deliveries()
    cloudtrail.refuse_trails_that_cannot_write()
    cloudtrail.validate_event_selectors()
    cloudtrail.show_deliveries()
    xray.refuse_bad_segments()
    xray.limit_batches()
    xray.show_destination()
    cloudwatch.compute_percentiles()
    cloudwatch.answer_metric_data()
    cloudwatch.list_each_metric_once()
    sns.require_confirmation()
    sns.send_nothing_outside()
    ssm.list_no_patch_states()
