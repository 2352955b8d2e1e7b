"""`batchgen services` and `batchgen models`: whom we can buy from, and what they sell. No network."""

import os
from collections.abc import Iterator
from typing import Any

import click

from batchgen.cli import options as shared
from batchgen.errors import Exit
from batchgen.job import SCENES
from batchgen.service.dialects import NAMES, Service, service_of

_SETTLES = {
    "list": "the service's own list settles it",
    "candidates": "its list shows candidates, a person decides",
    "person": "a person settles it",
}


@click.command("services")
@shared.as_json
def services_command(as_json: bool) -> int:
    """List the services that --service knows. No network; a key is looked for in the environment, never shown."""
    found = [_service(service_of(name)) for name in NAMES]
    if as_json:
        shared.print_json({"services": found})
        return int(Exit.OK)
    for one in found:
        key = "key found" if one["key_found"] else "no key"
        gone = f", gone since {one['gone_since']}" if one["gone_since"] else ""
        click.echo(f"{one['service']:<14} {one['title']}{gone}")
        click.echo(f"{'':<14} {one['key']} ({key}); {one['base_url'] or 'the address must be told (--base-url)'}")
        click.echo(f"{'':<14} counts {one['unit']}; a doubt: {_SETTLES[one['settles']]}; data of {one['date']}")
    return int(Exit.OK)


@click.command("models")
@shared.setting("service", "NAME")
@click.option("--scene", type=click.Choice(SCENES), help="Only models that make this scene.")
@shared.as_json
def models_command(service: str | None, scene: str | None, as_json: bool) -> int:
    """List the models that are known of the services, with their options and prices. Others may be used, too."""
    names = [name for name in NAMES if service in (None, name)]
    if service is not None:
        names = [shared.config_of({"service": service}).service]
    found = [model for name in names for model in _models(service_of(name)) if scene in (None, *model["scenes"])]
    if as_json:
        shared.print_json({"models": found})
        return int(Exit.OK)
    for one in found:
        gone = f"  (gone since {one['gone_since']})" if one["gone_since"] else ""
        click.echo(f"{one['service']}  {one['model']}{gone}")
        click.echo(f"    {', '.join(one['scenes']) or 'any scene'}; {one['price'] or 'no price is known'}")
        for option in one["options"]:
            needed = ", needed" if option["needed"] else ""
            default = "" if option["default"] is None else f" (default {_shown(option['default'])})"
            click.echo(f"    options.{option['name']}: {option['takes']}{default}{needed}")
    return int(Exit.OK)


def _service(service: Service) -> dict[str, Any]:
    gone = service.catalogue.gone_since
    return {
        "service": service.name,
        "title": service.title,
        "open": not gone and service.name != "gateway",
        "gone_since": gone,
        "key": service.key_variable,
        "key_found": bool(os.environ.get(service.key_variable, "").strip()),
        "get_key": service.get_key,
        "base_url": service.base_url,
        "unit": service.unit,
        "limits": service.limits,
        "pace": service.pace,
        "settles": service.settles,
        "date": service.catalogue.dated,
        "prices_date": service.catalogue.rates_dated,
        "source": service.source,
    }


def _models(service: Service) -> Iterator[dict[str, Any]]:
    """Every model of the data or of the price list."""
    catalogue = service.catalogue
    for name in sorted({*catalogue.models, *catalogue.rates}):
        model, rate = catalogue.model(name), catalogue.rates.get(name)
        yield {
            "service": service.name,
            "model": name,
            "scenes": list(model.scenes),
            "gone_since": model.gone_since,
            "inputs": {key: place for key, place in model.inputs.items() if key != "prompt"},
            "options": [
                {
                    "name": option,
                    "type": known.type,
                    "takes": known.allowed,
                    "values": list(known.values),
                    "default": known.default,
                    "needed": option in model.needs,
                }
                for option, known in model.options.items()
            ],
            "unit": service.unit,
            "price": rate.shown(service.unit) if rate is not None else "",
            "rates": {key: float(amount) for key, amount in rate.amounts.items()} if rate is not None else {},
            "source": model.source or (rate.source if rate is not None else ""),
        }


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
